// A work-group is many work-items.
#define kMaxGroup 256
#define SYNC barrier(CLK_LOCAL_MEM_FENCE);
