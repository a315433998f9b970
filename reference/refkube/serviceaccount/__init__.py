"""Tokens of service accounts: made for TokenRequest and token Secrets, proven at authentication and TokenReview."""
