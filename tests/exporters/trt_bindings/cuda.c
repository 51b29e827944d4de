/* A CUDA runtime and driver whose GPU is this machine's own memory: what our code copies really arrives. */
#include <stdlib.h>
#include <string.h>

int cudaMalloc(void **pointer, size_t bytes) { return (*pointer = malloc(bytes)) == NULL; }
int cudaFree(void *pointer) { free(pointer); return 0; }
int cudaMemcpy(void *to, const void *from, size_t bytes, int kind) { memcpy(to, from, bytes); return 0; }
int cudaMemcpyAsync(void *to, const void *from, size_t bytes, int kind, void *stream)
{
    memcpy(to, from, bytes);
    return stream == NULL;
}
int cudaStreamCreate(void **stream) { return (*stream = malloc(1)) == NULL; }
int cudaStreamDestroy(void *stream) { free(stream); return 0; }
int cudaStreamSynchronize(void *stream) { return stream == NULL; }

int cuInit(unsigned flags) { return 0; }
int cuDeviceGet(int *device, int number) { *device = number; return 0; }
int cuDeviceGetName(char *name, int length, int device) { strncpy(name, "Stub Orin", length); return 0; }
int cuDeviceGetAttribute(int *value, int attribute, int device)
{
    *value = attribute == 75 ? 8 : attribute == 76 ? 7 : -1;
    return 0;
}
