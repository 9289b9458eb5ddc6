"""Files for payroll and what it answers: pure, from rows to bytes and from rows of a table to what they say."""
