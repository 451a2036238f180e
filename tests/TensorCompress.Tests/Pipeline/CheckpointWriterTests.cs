using TensorCompress.Pipeline;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Pipeline;

public class CheckpointWriterTests
{
    [Fact]
    public void A_folder_in_the_making_is_not_taken_by_another_job()
    {
        using var folder = new TemporaryFolder();
        string output = folder.Combine("out");
        using (CheckpointWriter first = CheckpointWriter.Create(output))
        {
            IOException fault = Assert.Throws<IOException>(() => CheckpointWriter.Create(output));
            Assert.Contains("Another job", fault.Message, StringComparison.Ordinal);
            Assert.True(Directory.Exists(first.Staging));
        }

        Assert.Empty(Directory.EnumerateFileSystemEntries(folder.Path));
    }

    [Fact]
    public void What_a_killed_run_left_is_removed()
    {
        using var folder = new TemporaryFolder();
        string left = Directory.CreateDirectory(folder.Combine(".out.partial")).FullName;
        File.WriteAllText(Path.Combine(left, ".lock"), "");
        File.WriteAllText(Path.Combine(left, "rest"), "");
        using CheckpointWriter writer = CheckpointWriter.Create(folder.Combine("out"));
        Assert.False(File.Exists(Path.Combine(writer.Staging, "rest")));
    }
}
