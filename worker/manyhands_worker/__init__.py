"""The worker: takes a session's turns and runs the app's handlers."""
