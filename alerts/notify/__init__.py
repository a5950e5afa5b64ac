"""Notification: telling people and systems of an alert."""
