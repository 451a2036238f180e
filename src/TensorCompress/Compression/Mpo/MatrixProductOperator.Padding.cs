using TensorCompress.Tensors;

namespace TensorCompress.Compression.Mpo;

/// <content>Padding: rows and columns of the product of the factors that W does not have.</content>
public sealed partial class MatrixProductOperator
{
    /// <summary>Whether the products of the factors are larger than W.</summary>
    private bool HasPadding => OutputDimension != Factors.OutputDimension || InputDimension != Factors.InputDimension;

    /// <summary>
    /// The operator with zeros where the padding is, or null if there is none. Whether an index lies inside is read off its digits from the left with one bit of memory (all equal to
    /// those of the limit so far, or already below), so the mask is itself an operator of bond dimension 2 for the rows and 2 for the columns.
    /// </summary>
    private MatrixProductOperator? WithoutPadding()
    {
        if (!HasPadding) return null;
        int sites = Factors.Sites;
        int[] lastRow = Digits(OutputDimension - 1, Factors.Outputs), lastColumn = Digits(InputDimension - 1, Factors.Inputs);
        int[] bonds = [1, .. Enumerable.Range(1, sites - 1).Select(k => checked(4 * _bonds[k])), 1];
        var cores = new Matrix<double>[sites];
        for (int site = 0; site < sites; site++)
        {
            (int left, int outputs, int inputs, int right) = Shape(site);
            int leftStates = site == 0 ? 1 : 4, rightStates = site == sites - 1 ? 1 : 4;
            cores[site] = new Matrix<double>((nint)left * leftStates * outputs, (nint)inputs * right * rightStates);
            for (int row = 0; row < left * outputs; row++)
            {
                (int l, int o) = Math.DivRem(row, outputs);
                ReadOnlySpan<double> source = _cores[site].Row(row);
                for (int state = 0; state < leftStates; state++)
                {
                    int rowState = Next(state / 2, o, lastRow[site]);
                    for (int i = 0; i < inputs; i++)
                    {
                        int columnState = Next(state % 2, i, lastColumn[site]);
                        if (rowState < 0 || columnState < 0) continue;
                        Span<double> destination = cores[site].Row(((nint)l * leftStates + state) * outputs + o);
                        int next = rightStates == 1 ? 0 : 2 * rowState + columnState;
                        for (int r = 0; r < right; r++) destination[(i * right + r) * rightStates + next] = source[i * right + r];
                    }
                }
            }
        }

        return new MatrixProductOperator(OutputDimension, InputDimension, Factors, bonds, cores, ScaleExponent);
    }

    /// <summary>State 0: the digits so far are those of the limit; 1: they are below. -1: beyond.</summary>
    private static int Next(int state, int digit, int limit) => state == 1 || digit < limit ? 1 : digit == limit ? 0 : -1;

    private static int[] Digits(int index, IReadOnlyList<int> factors)
    {
        int[] digits = new int[factors.Count];
        for (int site = digits.Length - 1; site >= 0; site--) (index, digits[site]) = Math.DivRem(index, factors[site]);
        return digits;
    }
}
