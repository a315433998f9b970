"""The API server: authentication, authorization, verbs, discovery, and their HTTP form."""
