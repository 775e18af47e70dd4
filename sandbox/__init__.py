"""The whole product on one machine: a Cal.com stand-in, a local stack of the deployed template, call replays."""
