"""Measuring vertebral bodies and grading their fractures after Genant."""
