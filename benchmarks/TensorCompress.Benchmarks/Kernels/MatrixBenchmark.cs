using TensorCompress.Tensors;

namespace TensorCompress.Benchmarks.Kernels;

/// <summary>A kernel over three matrices, beside the plain loop.</summary>
public abstract class MatrixBenchmark : KernelBenchmark
{
    private readonly List<Matrix<float>> _matrices = [];

    private protected delegate void MatrixKernel(MatrixView<float> first, MatrixView<float> second, MatrixView<float> destination);

    /// <summary>A random matrix that lives as long as the benchmark.</summary>
    private protected MatrixView<float> Random(int rows, int columns)
    {
        var matrix = new Matrix<float>(rows, columns, Values(_matrices.Count, rows * columns));
        _matrices.Add(matrix);
        return matrix.View;
    }

    [BenchmarkDotNet.Attributes.GlobalCleanup]
    public void Cleanup()
    {
        foreach (Matrix<float> matrix in _matrices) matrix.Dispose();
        _matrices.Clear();
    }
}
