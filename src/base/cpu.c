/* cpu -- see cpu.h. */
#include "base/cpu.h"
#include <time.h>
#if defined(__x86_64__)
#include <cpuid.h>
#include <xmmintrin.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#endif

cpu_level cpu_detect(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
              __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    return v4 ? CPU_AVX512 : v3 ? CPU_AVX2 : CPU_PLAIN; /* every such processor has F16C */
#else
    return CPU_PLAIN;
#endif
}

const char *cpu_name(cpu_level level)
{
    return level == CPU_AVX512 ? "avx512" : level == CPU_AVX2 ? "avx2" : "plain";
}

bool cpu_amx(void)
{
#if defined(__x86_64__) && defined(__linux__) && defined(SYS_arch_prctl)
    enum { BF16 = 1 << 22, TILE = 1 << 24, ASK_LEAVE = 0x1023, TILE_DATA = 18 };
    unsigned a, b, c, d = 0;
    if (cpu_detect() < CPU_AVX512 || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
    return (d & BF16) && (d & TILE) && syscall(SYS_arch_prctl, ASK_LEAVE, TILE_DATA) == 0;
#else
    return false;
#endif
}

bool cpu_vnni(void)
{
#if defined(__x86_64__)
    return cpu_detect() == CPU_AVX512 && __builtin_cpu_supports("avx512vnni");
#else
    return false;
#endif
}

/* Round to nearest, exceptions masked, neither flush-to-zero nor denormals-are-zero. */
unsigned fp_enter(void)
{
#if defined(__x86_64__)
    unsigned old = _mm_getcsr();
    _mm_setcsr(0x1f80u);
    return old;
#elif defined(__aarch64__)
    unsigned long old;
    __asm__ volatile("mrs %0, fpcr" : "=r"(old));
    __asm__ volatile("msr fpcr, %0" : : "r"(0ul));
    return (unsigned)old;
#else
    return 0;
#endif
}

void fp_leave(unsigned mode)
{
#if defined(__x86_64__)
    _mm_setcsr(mode);
#elif defined(__aarch64__)
    __asm__ volatile("msr fpcr, %0" : : "r"((unsigned long)mode));
#else
    (void)mode;
#endif
}

double clock_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
/* SPDX-License-Identifier: MIT */
