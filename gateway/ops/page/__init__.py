"""The status page at `/`: what the gateway does now, for people, made on the server and safe to leave open on a screen."""
