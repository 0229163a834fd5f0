"""Who uses the console: login with the tokens of the service, sessions, cookies."""
