"""Tables, repositories, migrations, the writer and the artifact store. Only storage knows SQL.

Importing it loads nothing: workers read and write artifacts, and need no database.
"""
