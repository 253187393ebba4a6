"""The lab's API Gateway: serves a setup, keeps to the gateway's time limits, and writes down what happened."""
