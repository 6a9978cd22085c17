"""When and where work happens; is handed functions and knows nothing of runs."""
