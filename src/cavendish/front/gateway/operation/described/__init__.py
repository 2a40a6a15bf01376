"""What each path of the gateway takes and gives: tables beside the doors, of which its OpenAPI document is made."""
