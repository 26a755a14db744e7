"""Naver as a second source of Korean days, through finance-datareader."""
