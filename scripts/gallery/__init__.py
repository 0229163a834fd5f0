"""Draws the pictures of docs/gallery.md into docs/gallery: `python -m scripts.gallery`."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDER = ROOT / "docs" / "gallery"
DEMO = ROOT / "service" / "sequela" / "demo"
