"""The only room that opens tokens: grants and the keeper."""
