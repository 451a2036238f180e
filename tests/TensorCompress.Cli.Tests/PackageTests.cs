using System.Diagnostics;
using System.IO.Compression;
using TensorCompress.Cli.Tests.TestKit;

namespace TensorCompress.Cli.Tests;

/// <summary>The packages as a user gets them: packed, installed from a folder, used.</summary>
public sealed class PackageTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    [Fact]
    public void Packages_install_and_work()
    {
        string packages = _folder.File("packages");
        Pack("src/TensorCompress", packages);
        Pack("src/TensorCompress.Cli", packages);
        AssertContents(Directory.GetFiles(packages, "TensorCompress.0*.nupkg").Single(), "lib/net10.0/TensorCompress.dll", "lib/net10.0/TensorCompress.xml", "README.md");

        WriteSources(packages);
        Dotnet("tool", "install", "TensorCompress.Tool", "--tool-path", _folder.File("tool"), "--configfile", _folder.File("nuget.config"), "--prerelease");
        string tool = _folder.File(Path.Combine("tool", OperatingSystem.IsWindows() ? "tensorcompress.exe" : "tensorcompress"));
        ToolProcess.Run(Start(tool, "demo", "-o", _folder.File("demo.html"))).Succeeds();
        Assert.Contains("<svg", File.ReadAllText(_folder.File("demo.html")), StringComparison.Ordinal);

        WriteProgram();
        Dotnet("build", _folder.File("app"), "-c", "Release", "-nodeReuse:false", "-p:UseSharedCompilation=false");
        ToolResult run = ToolProcess.Run(Start(ToolProcess.DotnetHost, _folder.File(Path.Combine("app", "bin", "Release", "net10.0", "app.dll")), Stories.ModelFile)).Succeeds();
        Assert.Contains(", there was a little girl", run.Output, StringComparison.Ordinal);
    }

    public void Dispose() => _folder.Dispose();

    // What these tests were built with is what is packed; building anew would be another product.
    private static void Pack(string project, string packages)
    {
        string configuration = Path.GetFileName(Path.GetDirectoryName(ToolProcess.AssemblyPath)!);
        DirectoryInfo artifacts = new DirectoryInfo(Path.GetDirectoryName(ToolProcess.AssemblyPath)!).Parent!.Parent!.Parent!;
        string root = artifacts.Parent!.FullName;
        string[] arguments = ["pack", Path.Combine(root, project), "--no-build", "-c", configuration == "debug" ? "Debug" : "Release", "-o", packages, "-nodeReuse:false"];
        ToolProcess.Run(new ProcessStartInfo(ToolProcess.DotnetHost, arguments)).Succeeds();
    }

    private static void AssertContents(string package, params string[] names)
    {
        using ZipArchive archive = ZipFile.OpenRead(package);
        foreach (string name in names) Assert.NotNull(archive.GetEntry(name));
    }

    // Only the folder with our packages and what was restored before: the test needs no network, and an older package of ours in a cache is not taken.
    private void WriteSources(string packages)
    {
        string restored = Environment.GetEnvironmentVariable("NUGET_PACKAGES") ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");
        File.WriteAllText(_folder.File("nuget.config"), $"""
            <configuration>
              <packageSources><clear /><add key="packed" value="{packages}" /><add key="restored" value="{restored}" /></packageSources>
              <packageSourceMapping>
                <packageSource key="packed"><package pattern="TensorCompress*" /></packageSource>
                <packageSource key="restored"><package pattern="*" /></packageSource>
              </packageSourceMapping>
            </configuration>
            """);
    }

    private void WriteProgram()
    {
        string app = Directory.CreateDirectory(_folder.File("app")).FullName;
        File.WriteAllText(Path.Combine(app, "app.csproj"), """
            <Project Sdk="Microsoft.NET.Sdk">
              <PropertyGroup>
                <OutputType>Exe</OutputType>
                <TargetFramework>net10.0</TargetFramework>
                <ImplicitUsings>enable</ImplicitUsings>
                <UseAppHost>false</UseAppHost>
              </PropertyGroup>
              <ItemGroup><PackageReference Include="TensorCompress" Version="*" /></ItemGroup>
            </Project>
            """);
        File.WriteAllText(Path.Combine(app, "Program.cs"), """
            using TensorCompress.Inference;

            using var model = LanguageModel.Load(args[0]);
            await using var session = model.CreateSession();
            await foreach (var piece in session.GenerateAsync("Once upon a time", new GenerationOptions { MaxTokens = 20 })) Console.Write(piece.Text);
            """);
        File.WriteAllText(Path.Combine(app, "Directory.Build.props"), "<Project />"); // nothing of the folders above
    }

    private void Dotnet(params string[] arguments) => ToolProcess.Run(Start(ToolProcess.DotnetHost, arguments)).Succeeds();

    private ProcessStartInfo Start(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { WorkingDirectory = _folder.Path };
        start.Environment["NUGET_PACKAGES"] = _folder.File("restored");
        start.Environment["MSBUILDDISABLENODEREUSE"] = "1";
        return start;
    }
}
