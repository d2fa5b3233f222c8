// Latencies in buckets of at most 1/64 their value: a quantile is exact to 1.6 %, and one more costs a few instructions.
#include "load.h"

enum { bucket_count = 64 * 59 };
static uint64_t buckets[bucket_count];
static uint64_t total;

static int bucket_of(uint64_t value) {
  if (value < 128) return (int)value;
  int shift = 57 - __builtin_clzll(value);
  return shift * 64 + (int)(value >> shift);
}

static uint64_t least_of(int bucket) {
  if (bucket < 128) return (uint64_t)bucket;
  int shift = bucket / 64 - 1;
  return (uint64_t)(bucket - shift * 64) << shift;
}

void add_latency(uint64_t nanoseconds) {
  buckets[bucket_of(nanoseconds)]++;
  total++;
}

double latency_us(double share) {
  uint64_t wanted = (uint64_t)(share * (double)(total > 0 ? total - 1 : 0)), seen = 0;
  for (int bucket = 0; bucket < bucket_count; bucket++) {
    seen += buckets[bucket];
    if (seen > wanted) return (double)least_of(bucket) / 1000;
  }
  return 0;
}

void clear_latencies(void) {
  memset(buckets, 0, sizeof buckets);
  total = 0;
}
