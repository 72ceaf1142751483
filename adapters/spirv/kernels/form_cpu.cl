// A work-group is one work-item, which waits for no other.
#define kMaxGroup 1
#define SYNC
