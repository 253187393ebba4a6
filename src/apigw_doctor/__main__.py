"""`python -m apigw_doctor`."""

from apigw_doctor.cli.main import main

if __name__ == "__main__":
    main()
