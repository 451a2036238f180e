using System.Runtime.InteropServices;
using TensorCompress.Kernels.Simd;

namespace TensorCompress.Tests.Kernels.Simd;

public sealed class CpuDescriptionTests
{
    [Fact]
    public void Describes_the_cpu_that_runs_the_process()
    {
        CpuDescription cpu = CpuDescription.Current();
        Assert.NotEmpty(cpu.Name);
        Assert.Equal(RuntimeInformation.ProcessArchitecture, cpu.Architecture);
        Assert.Equal(Environment.ProcessorCount, cpu.LogicalCores);
        Assert.Equal(cpu.InstructionSets.Count, cpu.InstructionSets.Select(set => set.Name).Distinct().Count());
    }

    [Fact]
    public void Agrees_with_the_width_that_kernels_take()
    {
        CpuDescription cpu = CpuDescription.Current();
        bool Has(string name) => cpu.InstructionSets.Any(set => set.Name == name && set.IsSupported);
        if (SimdLevel.Hardware == SimdWidth.Bits512) Assert.True(Has("AVX-512F") && Has("AVX-512BW"));
        if (SimdLevel.Hardware >= SimdWidth.Bits256) Assert.True(Has("AVX2"));
        if (SimdLevel.Hardware == SimdWidth.Scalar) Assert.DoesNotContain(cpu.InstructionSets, set => set.IsSupported);
    }

    [Fact]
    public void Caches_are_listed_from_near_to_far()
    {
        CpuDescription cpu = CpuDescription.Current();
        Assert.Equal(cpu.Caches.Select(cache => cache.Level).Order(), cpu.Caches.Select(cache => cache.Level));
        Assert.All(cpu.Caches, cache => Assert.InRange(cache.Bytes, 1 << 10, 1L << 40));
    }

    [Theory]
    [InlineData("1", "32K", 32 << 10)]
    [InlineData("3", "36M", 36 << 20)]
    [InlineData("2", "4096", 4096)]
    [InlineData("2", "", 0)]
    [InlineData("x", "1K", 0)]
    public void Sizes_of_caches_are_read_as_linux_writes_them(string level, string size, long bytes) => Assert.Equal(bytes, CpuCache.Parse(level, size)?.Bytes ?? 0);

    [Fact]
    public void Every_group_of_kernels_says_what_it_takes()
    {
        IReadOnlyList<KernelChoice> kernels = CpuDescription.Current().Kernels;
        Assert.Equal(kernels.Count, kernels.Select(kernel => kernel.Operations).Distinct().Count());
        Assert.Contains(kernels, kernel => kernel.Implementation.Contains(SimdLevel.Active == SimdWidth.Scalar ? "one by one" : $"{(int)SimdLevel.Active}-bit", StringComparison.Ordinal));
    }
}
