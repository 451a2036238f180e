using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Kernels;

public unsafe class RowStreamTests
{
    [Fact]
    public void Every_width_adds_all_rows_and_touches_nothing_else()
    {
        Check<Register512<float>, float>();
        Check<Register512<double>, double>();
        Check<Register256<float>, float>();
        Check<Register256<double>, double>();
        Check<Register128<float>, float>();
        Check<Register128<double>, double>();
        Check<RegisterScalar<float>, float>();
        Check<RegisterScalar<double>, double>();
    }

    [Fact]
    public void A_row_of_the_result_is_the_scaled_sums_and_what_it_held()
    {
        foreach (int stride in new[] { 1, 3 })
        {
            foreach (int columns in new[] { 1, 7, 8, 33 })
            {
                using GuardedMemory<double> sums = Filled<double>(columns, 7, true), c = Filled<double>((columns - 1) * stride + 1, 5, true);
                RowStream.Update<Register256<double>, double>(columns, Start(sums), Start(c), stride, 2, -3);
                for (int i = 0; i < c.Length; i++)
                {
                    double before = Value(i, 5), expected = i % stride == 0 ? 2 * Value(i / stride, 7) - 3 * before : before;
                    Assert.Equal(expected, c.Span[i]);
                }

                c.Span.Fill(double.NaN);
                RowStream.Update<Register256<double>, double>(columns, Start(sums), Start(c), stride, 2, 0);
                for (int i = 0; i < columns; i++) Assert.Equal(2 * Value(i, 7), c.Span[i * stride]);
            }
        }
    }

    // Small integers: every sum is exact.
    private static void Check<TRegister, T>()
        where TRegister : struct, IRegister<TRegister, T>
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        foreach (int columns in new[] { 1, 3, 8, 17, 31, 32, 50 })
        {
            foreach (int depth in new[] { 0, 1, 3, 4, 5, 8, 11 })
            {
                for (int rows = 1; rows <= 5; rows++)
                {
                    bool transposed = rows % 2 == 0, guardAfter = depth % 2 == 0;
                    using GuardedMemory<T> a = Filled<T>(rows * depth, 7, guardAfter), b = Filled<T>(depth * columns, 5, guardAfter), sums = Filled<T>(rows * columns, 9, guardAfter);
                    RowStream.Add<TRegister, T>(rows, depth, columns, Start(a), transposed ? 1 : depth, transposed ? rows : 1, Start(b), columns, Start(sums));
                    for (int i = 0; i < rows * columns; i++)
                    {
                        double expected = Value(i, 9);
                        int row = i / columns;
                        for (int k = 0; k < depth; k++) expected += Value(transposed ? k * rows + row : row * depth + k, 7) * Value(k * columns + i % columns, 5);
                        Assert.Equal(expected, double.CreateChecked(sums.Span[i]));
                    }
                }
            }
        }
    }

    private static double Value(int i, int seed) => i * seed % 13 - 6;

    private static GuardedMemory<T> Filled<T>(int length, int seed, bool guardAfter)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        var memory = new GuardedMemory<T>(length, guardAfter);
        for (int i = 0; i < length; i++) memory.Span[i] = T.CreateChecked(Value(i, seed));
        return memory;
    }

    private static T* Start<T>(GuardedMemory<T> memory)
        where T : unmanaged => (T*)Unsafe.AsPointer(ref MemoryMarshal.GetReference(memory.Span));
}
