"""The pages, a file each.

A folder named pages would be taken for Streamlit's other kind of app.
"""
