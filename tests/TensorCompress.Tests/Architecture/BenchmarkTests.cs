namespace TensorCompress.Tests.Architecture;

/// <summary>A kernel without a benchmark does not stay.</summary>
public class BenchmarkTests
{
    private const string Kernels = "src/TensorCompress/Kernels", Benchmarks = "benchmarks/TensorCompress.Benchmarks/Kernels";

    [Fact]
    public void Every_kernel_file_has_a_benchmark_of_its_name()
    {
        string[] kernels =
        [
            .. Repository.Sources(Kernels)
                .Where(file => Path.GetDirectoryName(file)!.Replace('\\', '/') == Kernels && IsKernel(Repository.Read(file)))
                .Select(file => Path.GetFileName(file).Split('.')[0]).Distinct(), // X.Avx512.cs belongs to X
        ];
        Assert.Contains("Softmax", kernels);
        string[] faults = [.. kernels.Where(kernel => !IsBenchmarked(kernel)).Select(kernel => $"{Kernels}/{kernel}.cs has no {Benchmarks}/{kernel}Benchmarks.cs with a class of that name and a [Benchmark]: add it beside the others")];
        Assert.True(faults.Length == 0, string.Join("\n", faults));
    }

    // What chooses a width is a kernel, or has it chosen by the product that it is the innermost loop of; what is only called by one is a part of it.
    private static bool IsKernel(string text) =>
        (text.Contains("ISimd<", StringComparison.Ordinal) && text.Contains("SimdLevel.Active", StringComparison.Ordinal)) || text.Contains("IRegister<", StringComparison.Ordinal);

    private static bool IsBenchmarked(string kernel)
    {
        string file = $"{Benchmarks}/{kernel}Benchmarks.cs";
        if (!Repository.Files.Contains(file)) return false;
        string text = Repository.Read(file);
        return text.Contains($"class {kernel}Benchmarks", StringComparison.Ordinal) && text.Contains("[Benchmark", StringComparison.Ordinal);
    }
}
