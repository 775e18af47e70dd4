"""The deployed template, run on one machine without Docker.

    from sandbox.stack.local import LocalStack

    with LocalStack("template.yaml", parameters={"Stage": "dev"}) as stack:
        print(stack.url)

`translate` turns SAM into CloudFormation, `template` reads from it what a machine can run, `engine` stands in
for DynamoDB, SQS and Secrets Manager, `provision` creates there what the template declares, `runtime` runs
the functions, `front` and `payload` are the HTTP API, and `events` are the queue pollers and the scheduler.
Production code knows nothing of it.
"""
