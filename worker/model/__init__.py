"""The words the other rooms speak: records, events, options, errors."""
