"""The keyword services as pure functions: what a text asks for, and the words of the answer."""
