"""A far end to try against: an OAuth 2 server with Tangoe-style and ServiceNow-style APIs."""
