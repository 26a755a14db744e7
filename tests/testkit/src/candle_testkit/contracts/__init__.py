"""What a plugin must do, as pytest classes to subclass: one module for storages, one for providers."""
