"""Tests in several processes at a time: what shares a stack stays in one, some run alone."""
