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
}
