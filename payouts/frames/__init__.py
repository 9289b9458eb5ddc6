"""The one place where rows become columns and columns become rows.

`read` makes a kernel batch of what the database knows, now or as of a recorded moment; `figures` turns a result into
the standing tables' columns; `write` compares with what stands and writes the differences.
"""
