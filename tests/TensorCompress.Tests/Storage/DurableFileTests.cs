using TensorCompress.Storage;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Storage;

/// <summary>A name holds nothing, the old content, or the whole new content; and nothing lies beside it.</summary>
public sealed class DurableFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private string Path => _folder.Combine("file");

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void WritesAndReplaces(bool replaces)
    {
        if (replaces) File.WriteAllText(Path, "old and longer");
        DurableFile.WriteAllText(Path, "neu ü");
        Assert.Equal("neu ü"u8.ToArray(), File.ReadAllBytes(Path));
        AssertOnly(Path);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void AFailingCallbackLeavesTheOldContent(bool hasOld)
    {
        if (hasOld) File.WriteAllText(Path, "old");
        Assert.Throws<TimeoutException>(() => DurableFile.Write(Path, stream =>
        {
            stream.Write(new byte[1 << 20]);
            throw new TimeoutException();
        }));
        AssertOld(hasOld);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void AFailingFlushLeavesTheOldContent(bool hasOld)
    {
        if (hasOld) File.WriteAllText(Path, "old");
        int flushes = 0;
        Assert.Throws<IOException>(() => DurableFile.Write(Path, stream => stream.Write("new"u8), (handle, temporary) =>
        {
            flushes++;
            Assert.False(handle.IsClosed);
            Assert.Equal("new"u8.ToArray().LongLength, RandomAccess.GetLength(handle)); // buffers are empty when the disk is asked
            Assert.Equal(_folder.Path, System.IO.Path.GetDirectoryName(temporary));
            if (hasOld) Assert.Equal("old", File.ReadAllText(Path));
            throw new IOException("injected");
        }));
        Assert.Equal(1, flushes);
        AssertOld(hasOld);
    }

    [Fact]
    public void TheFlushIsAskedBeforeTheNameAppears()
    {
        bool wasThere = true;
        DurableFile.Write(Path, stream => stream.Write("new"u8), (_, _) => wasThere = File.Exists(Path));
        Assert.False(wasThere);
        Assert.Equal("new", File.ReadAllText(Path));
    }

    [Fact]
    public void AnImpossibleNameLeavesNothing()
    {
        Directory.CreateDirectory(Path);
        Assert.ThrowsAny<SystemException>(() => DurableFile.WriteAllText(Path, "new"));
        AssertOnly(Path);
        Assert.Throws<DirectoryNotFoundException>(() => DurableFile.WriteAllText(_folder.Combine("missing/file"), "new"));
        AssertOnly(Path);
    }

    [Fact]
    public void ConcurrentWritersOfOneNameLeaveOneWholeContent()
    {
        byte[][] contents = [.. Enumerable.Range(0, 8).Select(i => Enumerable.Repeat((byte)i, 100_000).ToArray())];
        Thread[] threads = [.. contents.Select(content => new Thread(() => DurableFile.WriteAllBytes(Path, content)))];
        foreach (Thread thread in threads) thread.Start();
        foreach (Thread thread in threads) thread.Join();
        byte[] left = File.ReadAllBytes(Path);
        Assert.Contains(contents, content => content.AsSpan().SequenceEqual(left));
        AssertOnly(Path);
    }

    [Fact]
    public void PublishFolderMovesTheWholeFolderOnce()
    {
        string staging = _folder.Combine("staging"), final = _folder.Combine("final");
        Directory.CreateDirectory(staging);
        DurableFile.WriteAllText(System.IO.Path.Combine(staging, "a"), "1");
        DurableFile.PublishFolder(staging, final);
        AssertOnly(final);
        Assert.Equal("1", File.ReadAllText(System.IO.Path.Combine(final, "a")));

        Directory.CreateDirectory(staging);
        Assert.Throws<IOException>(() => DurableFile.PublishFolder(staging, final));
        Assert.True(Directory.Exists(staging));
        Assert.Equal("1", File.ReadAllText(System.IO.Path.Combine(final, "a")));
        Assert.ThrowsAny<IOException>(() => DurableFile.PublishFolder(_folder.Combine("missing"), _folder.Combine("other")));
    }

    private void AssertOld(bool hasOld)
    {
        if (!hasOld)
        {
            Assert.Empty(Directory.GetFileSystemEntries(_folder.Path));
            return;
        }

        AssertOnly(Path);
        Assert.Equal("old", File.ReadAllText(Path));
    }

    private void AssertOnly(string path) => Assert.Equal([path], Directory.GetFileSystemEntries(_folder.Path));
}
