"""What becomes of a tick: dispatch, execution, context, rescue."""
