using System.Globalization;
using TensorCompress.Calibration;
using TensorCompress.Compression;
using TensorCompress.Inference;

namespace TensorCompress.Comparison;

/// <summary>Statistics of the layers of some blocks; the model runs no further than the last of them.</summary>
internal static class CalibratedBlocks
{
    /// <summary>Collects.</summary>
    /// <param name="model">The model.</param>
    /// <param name="windows">Token ids.</param>
    /// <param name="blocks">Indexes of blocks.</param>
    /// <param name="handler">Told a layer and the statistics of its inputs, which are valid during the call.</param>
    public static void Collect(LanguageModel model, IReadOnlyList<int[]> windows, IReadOnlyList<int> blocks, Action<string, LayerStatistics> handler)
    {
        int last = blocks.Max();
        try
        {
            ModelCalibration.Collect(model, windows, (layers, statistics) =>
            {
                foreach (string layer in layers)
                {
                    int block = int.Parse(layer.Split('.').FirstOrDefault(part => part.All(char.IsAsciiDigit)) ?? "-1", CultureInfo.InvariantCulture);
                    if (block > last) throw new OperationCanceledException();
                    if (blocks.Contains(block)) handler(layer, statistics);
                }
            });
        }
        catch (OperationCanceledException)
        {
            // the blocks that were asked for are done
        }
    }
}
