select max(number) from journal
