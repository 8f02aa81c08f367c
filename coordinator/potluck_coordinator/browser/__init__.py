"""Donor tabs in a headless Chromium: found or installed, opened, started, and closed."""
