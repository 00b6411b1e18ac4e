"""The gateway: a thin Flask application between browsers and the sessions' mailboxes."""
