"""What several kinds of tests stand on: real servers, a house to work in, requests as a PGW would send them."""
