"""Infrastructure-as-code readers (CloudFormation, SAM, OpenAPI) and the one model of APIs, routes and functions."""
