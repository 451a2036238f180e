using System.Buffers;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace TensorCompress.Compression.Qet;

/// <summary>
/// The codes of a vector in all stages of a column group together: a beam search keeps the partial sums that come nearest so far, because the nearest centroid of one stage need not leave what the next can
/// finish best. Distances are in double; of equally near ones the first. A beam of one is stage after stage.
/// </summary>
internal sealed class GroupSearch
{
    private readonly Stage[] _stages;
    private readonly float[]? _scales;
    private readonly int _dimension, _beam, _widest;

    /// <param name="codebooks">Of each stage, [group, centroid, column of the group].</param>
    /// <param name="centroids">Centroids of a group, for each stage.</param>
    /// <param name="group">Which group.</param>
    /// <param name="dimension">Columns of a group.</param>
    /// <param name="scales">Of each column of the group, the root of what a squared error of it counts; null for 1.</param>
    /// <param name="beam">Partial sums kept.</param>
    public GroupSearch(IReadOnlyList<float[]> codebooks, IReadOnlyList<int> centroids, int group, int dimension, float[]? scales, int beam)
    {
        (_dimension, _scales, _beam) = (dimension, scales, beam);
        _stages = [.. codebooks.Select((codebook, stage) => new Stage(codebook.AsSpan(group * centroids[stage] * dimension, centroids[stage] * dimension), dimension, scales))];
        _widest = _stages.Max(stage => stage.Stride);
    }

    /// <summary>Finds them.</summary>
    /// <param name="values">The vector.</param>
    /// <param name="codes">One for each stage.</param>
    /// <returns>The squared error in the scales.</returns>
    public double Find(ReadOnlySpan<float> values, Span<int> codes)
    {
        int count = _stages.Length, room = _beam * _dimension;
        double[] rented = ArrayPool<double>.Shared.Rent(_widest + 2 * room);
        Span<double> scores = rented.AsSpan(0, _widest), residuals = rented.AsSpan(_widest, room), next = rented.AsSpan(_widest + room, room);
        Span<int> paths = stackalloc int[_beam * count], nextPaths = stackalloc int[_beam * count];
        Span<double> errors = stackalloc double[_beam];
        var kept = new Kept(stackalloc double[_beam], stackalloc int[_beam], stackalloc int[_beam]);
        errors[0] = 0;
        for (int k = 0; k < _dimension; k++)
        {
            residuals[k] = _scales is null ? values[k] : (double)values[k] * _scales[k];
            errors[0] += residuals[k] * residuals[k];
        }

        int live = 1;
        for (int s = 0; s < count; s++)
        {
            Stage stage = _stages[s];
            kept.Begin(s == count - 1 ? 1 : _beam);
            for (int entry = 0; entry < live; entry++)
            {
                stage.Score(residuals.Slice(entry * _dimension, _dimension), scores);
                kept.Offer(scores[..stage.Stride], errors[entry], entry);
            }

            live = kept.Count;
            for (int entry = 0; entry < live; entry++)
            {
                int parent = kept.Parents[entry], code = kept.Codes[entry];
                errors[entry] = kept.Errors[entry];
                paths.Slice(parent * count, s).CopyTo(nextPaths[(entry * count)..]);
                nextPaths[entry * count + s] = code;
                stage.Subtract(code, residuals.Slice(parent * _dimension, _dimension), next.Slice(entry * _dimension, _dimension));
            }

            Span<double> free = residuals;
            residuals = next;
            next = free;
            Span<int> freePaths = paths;
            paths = nextPaths;
            nextPaths = freePaths;
        }

        paths[..count].CopyTo(codes);
        ArrayPool<double>.Shared.Return(rented);
        return Math.Max(0, errors[0]);
    }

    /// <summary>The best continuations of a stage, ascending.</summary>
    private ref struct Kept(Span<double> errors, Span<int> parents, Span<int> codes)
    {
        public readonly Span<double> Errors = errors;
        public readonly Span<int> Parents = parents, Codes = codes;
        private int _limit;

        public int Count { get; private set; }

        public void Begin(int limit) => (_limit, Count) = (limit, 0);

        /// <summary>Takes in those of a partial sum's continuations that belong to the best.</summary>
        public void Offer(ReadOnlySpan<double> scores, double error, int parent)
        {
            ref double first = ref MemoryMarshal.GetReference(scores);
            double most = Most(error);
            for (int j = 0; j < scores.Length; j += 4)
            {
                if (!Vector256.LessThanAny(Vector256.LoadUnsafe(ref first, (nuint)j), Vector256.Create(most))) continue;
                for (int i = j; i < j + 4; i++)
                {
                    if (!(scores[i] < most)) continue;
                    Insert(error + scores[i], parent, i);
                    most = Most(error);
                }
            }
        }

        // What a score must be below, where this partial sum leaves so much.
        private readonly double Most(double error) => Count < _limit ? double.PositiveInfinity : Errors[_limit - 1] - error;

        private void Insert(double error, int parent, int code)
        {
            if (Count < _limit) Count++;
            int at = Count - 1;
            for (; at > 0 && error < Errors[at - 1]; at--) (Errors[at], Parents[at], Codes[at]) = (Errors[at - 1], Parents[at - 1], Codes[at - 1]);
            (Errors[at], Parents[at], Codes[at]) = (error, parent, code);
        }
    }

    /// <summary>The centroids of a stage, [column of the group, centroid], and their squared norms; infinite for those that only fill up.</summary>
    private sealed class Stage
    {
        private readonly double[] _turned, _norms;

        public Stage(ReadOnlySpan<float> centroids, int dimension, float[]? scales)
        {
            int count = centroids.Length / dimension;
            Stride = (count + 7) & ~7;
            (_turned, _norms) = (new double[dimension * Stride], new double[Stride]);
            Array.Fill(_norms, double.PositiveInfinity, count, Stride - count);
            for (int c = 0; c < count; c++)
            {
                for (int k = 0; k < dimension; k++)
                {
                    double number = scales is null ? centroids[c * dimension + k] : (double)centroids[c * dimension + k] * scales[k];
                    _turned[k * Stride + c] = number;
                    _norms[c] += number * number;
                }
            }
        }

        /// <summary>Centroids, filled up to a multiple of eight.</summary>
        public int Stride { get; }

        /// <summary><c>|c|^2 - 2 r.c</c> for every centroid.</summary>
        public void Score(ReadOnlySpan<double> residual, Span<double> scores)
        {
            ref double turned = ref MemoryMarshal.GetArrayDataReference(_turned), norms = ref MemoryMarshal.GetArrayDataReference(_norms), results = ref MemoryMarshal.GetReference(scores);
            for (nuint j = 0; j < (nuint)Stride; j += 8)
            {
                Vector256<double> low = Vector256<double>.Zero, high = low;
                nuint at = j;
                foreach (double number in residual)
                {
                    Vector256<double> r = Vector256.Create(number);
                    low = Vector256.FusedMultiplyAdd(r, Vector256.LoadUnsafe(ref turned, at), low);
                    high = Vector256.FusedMultiplyAdd(r, Vector256.LoadUnsafe(ref turned, at + 4), high);
                    at += (nuint)Stride;
                }

                (Vector256.LoadUnsafe(ref norms, j) - (low + low)).StoreUnsafe(ref results, j);
                (Vector256.LoadUnsafe(ref norms, j + 4) - (high + high)).StoreUnsafe(ref results, j + 4);
            }
        }

        /// <summary>What a centroid leaves of a residual.</summary>
        public void Subtract(int code, ReadOnlySpan<double> residual, Span<double> rest)
        {
            for (int k = 0; k < residual.Length; k++) rest[k] = residual[k] - _turned[k * Stride + code];
        }
    }
}
