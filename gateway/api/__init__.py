"""The HTTP interface and the actions of the commands: routes, requests and answers, problems, OpenAPI."""
