"""Yahoo: how it is asked, what it answers, and what that means."""
