"""A cache and a request budget that machines share through Redis."""

from candle_redis.budget import RedisBudgetStore
from candle_redis.cache import RedisCache

__all__ = ["RedisBudgetStore", "RedisCache"]
