using TensorCompress.Storage;
using TensorCompress.Storage.Gguf;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Storage;

/// <summary>What every row of the conformance tables must satisfy, whatever is wrong with the file.</summary>
internal static class ReaderVerdicts
{
    private const int MaxMessageLength = 512;

    /// <summary>The file is refused with one of the kinds, alike from a path, a stream, a stream that gives single bytes, and memory; nothing stays open or behind.</summary>
    public static void SafetensorsRejected(byte[] content, params TensorFormatError[] kinds) =>
        RejectedEverywhere(content, SafetensorsFile.Open, SafetensorsFile.Open, SafetensorsFile.Open, kinds);

    /// <summary>As <see cref="SafetensorsRejected"/>.</summary>
    public static void GgufRejected(byte[] content, params TensorFormatError[] kinds) => RejectedEverywhere(content, GgufFile.Open, GgufFile.Open, GgufFile.Open, kinds);

    private static void RejectedEverywhere<TFile>(
        byte[] content, Func<string, TFile> openPath, Func<Stream, TFile> openStream, Func<ReadOnlyMemory<byte>, TFile> openMemory, TensorFormatError[] kinds)
        where TFile : IDisposable
    {
        using var folder = new TemporaryFolder();
        string path = folder.Combine("model.file");
        File.WriteAllBytes(path, content);
        TensorFormatException fromPath = Rejected(() => openPath(path), kinds);
        Assert.Equal(path, fromPath.File);
        AssertNothingOpen(folder);
        using var stream = new MemoryStream(content, writable: false);
        using var dripping = new DrippingStream(content);
        Assert.Equal(fromPath.Kind, Rejected(() => openStream(stream), kinds).Kind);
        Assert.Equal(fromPath.Kind, Rejected(() => openStream(dripping), kinds).Kind);
        Assert.Equal(fromPath.Kind, Rejected(() => openMemory(content), kinds).Kind);
    }

    /// <summary>The file is accepted from every entry, and the same check holds for each.</summary>
    public static void SafetensorsAccepted(byte[] content, Action<SafetensorsFile> check)
    {
        using var folder = new TemporaryFolder();
        string path = folder.Combine("model.safetensors");
        File.WriteAllBytes(path, content);
        using (SafetensorsFile file = SafetensorsFile.Open(path)) check(file);
        AssertNothingOpen(folder);
        using var stream = new MemoryStream(content, writable: false);
        using (SafetensorsFile file = SafetensorsFile.Open(stream)) check(file);
        using var dripping = new DrippingStream(content);
        using (SafetensorsFile file = SafetensorsFile.Open(dripping)) check(file);
        using (SafetensorsFile file = SafetensorsFile.Open(content)) check(file);
    }

    /// <summary>The action ends in the one exception of damaged files, of one of the kinds, with a message that is safe to print.</summary>
    public static TensorFormatException Rejected(Func<IDisposable> open, params TensorFormatError[] kinds)
    {
        TensorFormatException fault = Assert.Throws<TensorFormatException>(() => open().Dispose());
        Assert.True(kinds.Contains(fault.Kind), $"{fault.Kind} instead of {string.Join(" or ", kinds)}: {fault.Message}");
        AssertPrintable(fault.Message);
        AssertPrintable(fault.Reason);
        Assert.EndsWith($"[{fault.Kind}]", fault.Message, StringComparison.Ordinal);
        return fault;
    }

    private static void AssertPrintable(string text)
    {
        Assert.InRange(text.Length, 1, MaxMessageLength);
        Assert.DoesNotContain(text, char.IsControl);
    }

    // Nobody else writes to the folder, so an open handle of this process would show here.
    private static void AssertNothingOpen(TemporaryFolder folder)
    {
        Assert.Single(Directory.GetFileSystemEntries(folder.Path));
        if (!OperatingSystem.IsLinux()) return;
        foreach (string descriptor in Directory.GetFiles("/proc/self/fd"))
        {
            string? target = null;
            try
            {
                target = File.ResolveLinkTarget(descriptor, returnFinalTarget: false)?.FullName;
            }
            catch (IOException)
            {
                // Closed by another test meanwhile.
            }

            Assert.False(target?.StartsWith(folder.Path, StringComparison.Ordinal) ?? false, $"{target} is still open");
        }
    }

    /// <summary>A seekable stream that gives one byte per read.</summary>
    private sealed class DrippingStream(byte[] content) : MemoryStream(content, writable: false)
    {
        public override int Read(byte[] buffer, int offset, int count) => base.Read(buffer, offset, Math.Min(count, 1));

        public override int Read(Span<byte> buffer) => base.Read(buffer[..Math.Min(buffer.Length, 1)]);
    }
}
