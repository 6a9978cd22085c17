"""What a user configures or extends; imports nothing of worker."""
