package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"k8s.io/mount-utils"
	"k8s.io/utils/exec"

	registration "k8s.io/kubelet/pkg/apis/pluginregistration/v1"
)

// The node half of DigitalOcean's CSI driver, over files in place of disks: a volume is a sparse
// file of its size with ext4 in it, so that a full disk is full and a grown one has grown. The
// other half, and the list of volumes, are the cloud stand-in's.
const driver = "dobs.csi.digitalocean.com"

type volumeNode struct {
	csi.UnimplementedIdentityServer
	csi.UnimplementedNodeServer
	registration.UnimplementedRegistrationServer
	socket, node, region, disks, list string
	mounter                           mount.SafeFormatAndMount
}

func volumes(args []string) error {
	server := &volumeNode{mounter: mount.SafeFormatAndMount{
		Interface: mount.New(""),
		Exec:      exec.New(),
	}}
	flags := flag.NewFlagSet("volumes", flag.ExitOnError)
	flags.StringVar(&server.socket, "socket", "", "socket for kubelet")
	flags.StringVar(&server.node, "node", "", "name of the node")
	flags.StringVar(&server.region, "region", "", "region of the node")
	flags.StringVar(&server.disks, "disks", "", "folder of the volumes' files")
	flags.StringVar(&server.list, "list", "", "the cloud stand-in's list of volumes")
	announce := flags.String("registration", "", "socket in kubelet's folder of plugins")
	flags.Parse(args)
	failed := make(chan error, 2)
	for _, socket := range []string{server.socket, *announce} {
		if err := os.MkdirAll(filepath.Dir(socket), 0o700); err != nil {
			return err
		}
		listener, err := listen("unix:" + socket)
		if err != nil {
			return err
		}
		endpoint := grpc.NewServer()
		if socket == *announce {
			registration.RegisterRegistrationServer(endpoint, server)
		} else {
			csi.RegisterIdentityServer(endpoint, server)
			csi.RegisterNodeServer(endpoint, server)
		}
		go func() { failed <- endpoint.Serve(listener) }()
	}
	return <-failed
}

func (v *volumeNode) GetInfo(
	context.Context, *registration.InfoRequest,
) (*registration.PluginInfo, error) {
	return &registration.PluginInfo{
		Type:              registration.CSIPlugin,
		Name:              driver,
		Endpoint:          v.socket,
		SupportedVersions: []string{"1.0.0"},
	}, nil
}

func (v *volumeNode) NotifyRegistrationStatus(
	_ context.Context, result *registration.RegistrationStatus,
) (*registration.RegistrationStatusResponse, error) {
	if !result.PluginRegistered {
		fmt.Fprintf(os.Stderr, "volumes: kubelet refused the driver: %s\n", result.Error)
		os.Exit(1)
	}
	return &registration.RegistrationStatusResponse{}, nil
}

func (v *volumeNode) GetPluginInfo(
	context.Context, *csi.GetPluginInfoRequest,
) (*csi.GetPluginInfoResponse, error) {
	return &csi.GetPluginInfoResponse{Name: driver, VendorVersion: "stand-in"}, nil
}

func (v *volumeNode) Probe(context.Context, *csi.ProbeRequest) (*csi.ProbeResponse, error) {
	return &csi.ProbeResponse{}, nil
}

func (v *volumeNode) NodeGetInfo(
	context.Context, *csi.NodeGetInfoRequest,
) (*csi.NodeGetInfoResponse, error) {
	return &csi.NodeGetInfoResponse{
		NodeId:             v.node,
		MaxVolumesPerNode:  7,
		AccessibleTopology: &csi.Topology{Segments: map[string]string{"region": v.region}},
	}, nil
}

func (v *volumeNode) NodeGetCapabilities(
	context.Context, *csi.NodeGetCapabilitiesRequest,
) (*csi.NodeGetCapabilitiesResponse, error) {
	response := &csi.NodeGetCapabilitiesResponse{}
	for _, capability := range []csi.NodeServiceCapability_RPC_Type{
		csi.NodeServiceCapability_RPC_STAGE_UNSTAGE_VOLUME,
		csi.NodeServiceCapability_RPC_EXPAND_VOLUME,
		csi.NodeServiceCapability_RPC_GET_VOLUME_STATS,
	} {
		response.Capabilities = append(response.Capabilities, &csi.NodeServiceCapability{
			Type: &csi.NodeServiceCapability_Rpc{
				Rpc: &csi.NodeServiceCapability_RPC{Type: capability},
			},
		})
	}
	return response, nil
}

// NodeStageVolume mounts a volume's file system, which it makes on a volume's first use.
func (v *volumeNode) NodeStageVolume(
	_ context.Context, request *csi.NodeStageVolumeRequest,
) (*csi.NodeStageVolumeResponse, error) {
	target := request.GetStagingTargetPath()
	if mounted, err := v.mounter.IsMountPoint(target); err == nil && mounted {
		return &csi.NodeStageVolumeResponse{}, nil
	}
	file, err := v.disk(request.GetVolumeId())
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(target, 0o750); err != nil {
		return nil, err
	}
	err = v.mounter.FormatAndMount(file, target, "ext4", []string{"loop"})
	return &csi.NodeStageVolumeResponse{}, err
}

func (v *volumeNode) NodeUnstageVolume(
	_ context.Context, request *csi.NodeUnstageVolumeRequest,
) (*csi.NodeUnstageVolumeResponse, error) {
	target := request.GetStagingTargetPath()
	err := mount.CleanupMountPoint(target, v.mounter, true)
	return &csi.NodeUnstageVolumeResponse{}, err
}

func (v *volumeNode) NodePublishVolume(
	_ context.Context, request *csi.NodePublishVolumeRequest,
) (*csi.NodePublishVolumeResponse, error) {
	target := request.GetTargetPath()
	if mounted, err := v.mounter.IsMountPoint(target); err == nil && mounted {
		return &csi.NodePublishVolumeResponse{}, nil
	}
	if err := os.MkdirAll(target, 0o750); err != nil {
		return nil, err
	}
	options := []string{"bind"}
	if request.GetReadonly() {
		options = append(options, "ro")
	}
	err := v.mounter.Mount(request.GetStagingTargetPath(), target, "", options)
	return &csi.NodePublishVolumeResponse{}, err
}

func (v *volumeNode) NodeUnpublishVolume(
	_ context.Context, request *csi.NodeUnpublishVolumeRequest,
) (*csi.NodeUnpublishVolumeResponse, error) {
	err := mount.CleanupMountPoint(request.GetTargetPath(), v.mounter, true)
	return &csi.NodeUnpublishVolumeResponse{}, err
}

// NodeExpandVolume lets a mounted file system fill what its volume has become.
func (v *volumeNode) NodeExpandVolume(
	_ context.Context, request *csi.NodeExpandVolumeRequest,
) (*csi.NodeExpandVolumeResponse, error) {
	if _, err := v.disk(request.GetVolumeId()); err != nil {
		return nil, err
	}
	device, _, err := mount.GetDeviceNameFromMount(v.mounter, request.GetVolumePath())
	if err != nil {
		return nil, err
	}
	out, err := v.mounter.Exec.Command("losetup", "--set-capacity", device).CombinedOutput()
	if err != nil {
		return nil, status.Errorf(codes.Internal, "losetup: %v: %s", err, out)
	}
	_, err = mount.NewResizeFs(v.mounter.Exec).Resize(device, request.GetVolumePath())
	return &csi.NodeExpandVolumeResponse{}, err
}

// NodeGetVolumeStats tells how full a mounted volume is.
func (v *volumeNode) NodeGetVolumeStats(
	_ context.Context, request *csi.NodeGetVolumeStatsRequest,
) (*csi.NodeGetVolumeStatsResponse, error) {
	var stat syscall.Statfs_t
	if err := syscall.Statfs(request.GetVolumePath(), &stat); err != nil {
		return nil, status.Errorf(codes.NotFound, "%s: %v", request.GetVolumePath(), err)
	}
	bytes := func(blocks uint64) int64 { return int64(blocks) * stat.Bsize }
	return &csi.NodeGetVolumeStatsResponse{Usage: []*csi.VolumeUsage{{
		Unit:      csi.VolumeUsage_BYTES,
		Total:     bytes(stat.Blocks),
		Used:      bytes(stat.Blocks - stat.Bfree),
		Available: bytes(stat.Bavail),
	}}}, nil
}

// disk gives a volume's file, brought to the size that the cloud's list says. A volume that the
// list does not know is answered in the driver's words (incident 7).
func (v *volumeNode) disk(id string) (string, error) {
	text, err := os.ReadFile(v.list)
	if err != nil {
		return "", err
	}
	var list struct {
		Volumes []struct {
			ID   string `json:"id"`
			Size int64  `json:"size_gigabytes"`
		} `json:"volumes"`
	}
	if err := json.Unmarshal(text, &list); err != nil {
		return "", err
	}
	for _, volume := range list.Volumes {
		if volume.ID == id && !strings.ContainsRune(id, '/') {
			return v.sized(id, volume.Size<<30)
		}
	}
	return "", status.Errorf(codes.NotFound, "volume %q does not exist", id)
}

func (v *volumeNode) sized(id string, size int64) (string, error) {
	if err := os.MkdirAll(v.disks, 0o700); err != nil {
		return "", err
	}
	name := filepath.Join(v.disks, id)
	file, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return "", err
	}
	defer file.Close()
	info, err := file.Stat()
	if err == nil && info.Size() < size {
		err = file.Truncate(size)
	}
	return name, err
}
