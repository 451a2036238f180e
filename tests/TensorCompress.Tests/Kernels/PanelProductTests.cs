using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Kernels;

public sealed unsafe class PanelProductTests
{
    private delegate void Product(in PanelOperands operands);

    private static Widths<Product> Widths { get; } = new(PanelProduct.Core<Simd512>, PanelProduct.Core<Simd256>, PanelProduct.Core<Simd128>, PanelProduct.Core<SimdScalar>);

    /// <summary>Rows from none to beyond every tile, every width of a panel, A by rows and by columns, with and without going on from what is there.</summary>
    [Fact]
    public void Every_element_is_one_running_multiply_add()
    {
        var source = new FloatSource(7);
        for (int rows = 0; rows <= 21; rows++)
        {
            for (int width = 1; width <= 16; width += rows % 3 + 1)
            {
                int depth = (rows * 7 + width) % 19;
                bool byColumns = (rows + width) % 2 == 0, accumulate = (rows + width) % 3 == 0;
                float[] a = source.Array(Math.Max(1, rows * depth)), panel = source.Array(depth * width + 16), before = source.Array(rows * 20 + 1);
                foreach ((string name, Product run) in Widths.All)
                {
                    float[] result = [.. before];
                    fixed (float* pa = a, pp = panel, pr = result)
                    {
                        run(new PanelOperands
                        {
                            A = pa,
                            RowStride = byColumns ? 1 : depth,
                            DepthStride = byColumns ? rows : 1,
                            Rows = rows,
                            Depth = depth,
                            Panel = pp,
                            PanelStride = width,
                            Result = pr,
                            ResultStride = 20,
                            Width = width,
                            Accumulate = accumulate,
                        });
                    }

                    for (int row = 0; row < rows; row++)
                    {
                        for (int column = 0; column < 20; column++)
                        {
                            float running = accumulate ? before[row * 20 + column] : 0;
                            double exact = running;
                            for (int k = 0; k < depth && column < width; k++)
                            {
                                float factor = a[byColumns ? k * rows + row : row * depth + k];
                                running = MathF.FusedMultiplyAdd(factor, panel[k * width + column], running);
                                exact += (double)factor * panel[k * width + column];
                            }

                            string what = $"{rows} rows, depth {depth}, width {width}, vectors {name}, row {row}, column {column}";
                            if (column >= width) Assert.Equal(before[row * 20 + column], result[row * 20 + column]);
                            else if (FloatBits.FusedMultiplyAdd) FloatBits.AssertEqual([running], result.AsSpan(row * 20 + column, 1), what);
                            if (column < width) Assert.Equal(exact, result[row * 20 + column], 1e-5);
                        }
                    }
                }
            }
        }
    }
}
