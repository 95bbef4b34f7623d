"""The pages, one file each.

Streamlit would take a folder named pages for its other way to define pages.
"""
